import { runAwsSource } from './internal/run-aws-source.ts'
import { pkcs11Source } from './sources/pkcs11.ts'

void runAwsSource(pkcs11Source)
