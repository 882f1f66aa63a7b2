import fc from 'fast-check'

/** Arbitrary text, with many control characters, wide characters and shell syntax. */
export const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom(
        '\u001b[31m',
        '\u009b',
        '\u202e',
        '\n',
        '\t',
        '\0',
        '\ud800',
        '台所',
        '👩‍👩‍👧',
        'e\u0301',
        '\u200d',
      ),
      fc.constantFrom(';', '"', '\\', '\\032', '.', "'", '$(id)', '`id`'),
      fc.string(),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(''))
