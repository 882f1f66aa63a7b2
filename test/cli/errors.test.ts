import { expect, test } from 'vitest'
import { errorText } from '../../src/cli/errors.ts'

test.each([
  ['body/type: expected a type', 'TYPE: expected a type'],
  ['body/name: expected a name', 'NAME: expected a name'],
  ['body/txt: expected keys', 'KEY=VALUE: expected keys'],
  ['body/subtypes/0: expected names', '--subtype/0: expected names'],
  ['body: expected keys', 'KEY=VALUE: expected keys'],
  ['body/temperature: expected a text', 'temperature: expected a text'],
  ['params/id: expected an id', 'ID: expected an id'],
  ['querystring/service: expected names', '--service: expected names'],
  ['the body is not JSON', 'the body is not JSON'],
])('the message %j of the daemon becomes %j', (message, expected) => {
  expect(errorText(new Error(message))).toBe(expected)
})
