/** Entity tags in the headers of requests (RFC 9110, section 8.8.3). */

/** Whether a list of tags contains a tag by weak comparison, or `*`: for `If-None-Match` (section 13.1.2). */
export function matchesWeakly(list: string, etag: string): boolean {
  const tags = tagsOf(list).map(opaqueTag)
  return tags.includes('*') || tags.includes(opaqueTag(etag))
}

/** Whether a list of tags contains a strong tag by strong comparison, or `*`: for `If-Match` (section 13.1.1). */
export function matchesStrongly(list: string, etag: string): boolean {
  const tags = tagsOf(list)
  return tags.includes('*') || tags.includes(etag)
}

function tagsOf(list: string): string[] {
  return list.split(',').map((tag) => tag.trim())
}

/** The tag without the mark of a weak one. */
function opaqueTag(tag: string): string {
  return tag.replace(/^W\//, '')
}
