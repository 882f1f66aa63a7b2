export { default as cliTruncate } from 'cli-truncate'
export { default as stringWidth } from 'string-width'
