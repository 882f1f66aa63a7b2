import { BadRequest } from '../../shared/errors.ts'

/** Refuses a query whose escapes are not UTF-8. The path is seen to by the router. @throws BadRequest */
export function checkQuery(url: string): void {
  const mark = url.indexOf('?')
  if (mark < 0) return
  try {
    decodeURIComponent(url.slice(mark))
  } catch {
    throw new BadRequest("the querystring is not UTF-8 in escapes such as %C3%BC ('%' itself is %25)")
  }
}
