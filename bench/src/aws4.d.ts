/** As much of it as is measured. */
declare module 'aws4' {
  const aws4: { sign(request: object, credentials: object): object }
  export default aws4
}
