import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { flag } from './flag.ts'
import type { ListAnswer } from './lists.ts'

/** The parameters that every list has. */
export const LIST_PARAMETERS = {
  self: flag("Whether this daemon's own peer is among them"),
  since: Type.Optional(
    Type.String({
      maxLength: 128,
      description: 'Wait for a change after this one: the `index` of an answer, or EPOCH-INDEX, as in its ETag',
    }),
  ),
  wait: Type.Optional(
    Type.String({
      maxLength: 32,
      description: 'With `since`: how long at most, 10m or less, 30s unless given',
      examples: ['30s'],
    }),
  ),
}
export type ListParameters = { [Name in keyof typeof LIST_PARAMETERS | 'hidden']?: string | undefined }

export const ListHeaders = Type.Object({
  'if-none-match': Type.Optional(Type.String({ description: 'The ETag of the answer held: 304 if it still holds' })),
})

export const LIST_DESCRIPTION =
  'A parameter may be repeated: any of its values will do. Different parameters must all hold. ' +
  'With `since`, the answer waits for a change that concerns the filter, or until `wait` is over. ' +
  'The `ETag` counts the changes of the registry.'

export const NOT_MODIFIED = Type.Null({ description: 'What the reader holds still holds' })

/** Sends a list, or what there is to be said in its place. */
export function sendList(reply: FastifyReply, answer: ListAnswer): FastifyReply {
  if (!answer) return reply.hijack()
  if (answer.tag !== undefined) reply.header('etag', answer.tag)
  reply.header('cache-control', 'no-cache')
  if (!answer.text) return reply.code(304).send()
  return reply.header('content-type', 'application/json; charset=utf-8').send(answer.text)
}
