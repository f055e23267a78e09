import { runAwsSource } from './internal/run-aws-source.ts'
import { ekmSource } from './sources/ekm.ts'

void runAwsSource(ekmSource)
