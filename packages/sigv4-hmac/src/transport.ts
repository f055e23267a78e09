// How clients of an AWS service reach it: one deadline for all they do, options that were checked, one POST that can't be led astray.
export { type Connection, type ConnectionInit, checkConnection } from './transport/connection.ts'
export { type Deadline, withDeadline } from './transport/deadline.ts'
export { type HttpAnswer, loadPost, type Post, type PostErrorKind, type PostInit } from './transport/load-post.ts'
