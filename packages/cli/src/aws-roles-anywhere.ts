import { runAwsSource } from './internal/run-aws-source.ts'
import { rolesAnywhereSource } from './sources/roles-anywhere.ts'

void runAwsSource(rolesAnywhereSource)
