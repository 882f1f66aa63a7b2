import { CallSignal } from './call-signal.ts'

const DONE: IteratorReturnResult<void> = { done: true, value: undefined }

/**
 * An async generator that can be left at any time: its `return` ends a `next` that is waiting, which a generator's own
 * `return` waits for. `run` is called when the first value is asked for, with a signal that is aborted then, or by `outer`.
 */
export function endable<Value>(
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal) => AsyncGenerator<Value, void, void>,
): AsyncGenerator<Value, void, void> {
  let call: CallSignal | undefined
  let source: AsyncGenerator<Value, void, void> | undefined
  let isOver = false
  const end = () => {
    isOver = true
    call?.abort()
    call?.release()
  }
  return {
    async next() {
      if (isOver) return DONE
      call ??= new CallSignal(outer)
      source ??= run(call.signal)
      try {
        const result = await source.next()
        if (result.done) end()
        return isOver ? DONE : result
      } catch (error) {
        if (isOver) return DONE
        end()
        throw error
      }
    },
    async return() {
      end()
      await source?.return()
      return DONE
    },
    async throw(error) {
      end()
      await source?.return()
      throw error
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
