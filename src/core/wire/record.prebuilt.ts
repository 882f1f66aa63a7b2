import { compileSchema } from '../../shared/compile-schema.ts'
import { type PeerRecord, RecordSchema } from './record-schema.ts'

export const isRecord = compileSchema<PeerRecord>(RecordSchema)
