//! Lets tasks that are ready together take each step of a call together.

use std::cell::Cell;

use tokio::task::yield_now;

/// The maximum number of skipped yields after one that let no other task run.
const MAX_SKIPPED: u32 = 15;

thread_local! {
    static STATE: Cell<State> =
        const { Cell::new(State { steps: 0, is_yielding: false, to_skip: 0, last_skipped: 0 }) };
}

/// The yields of the tasks of a thread.
#[derive(Clone, Copy)]
struct State {
    /// The number of yields that began or ended.
    steps: u32,
    /// Whether the last of these steps was a beginning.
    is_yielding: bool,
    /// The number of the next yields that are skipped.
    to_skip: u32,
    /// The number of yields that were skipped after the last one.
    last_skipped: u32,
}

/// Lets the other tasks that are ready on this thread run first.
///
/// The program calls it before a request or a response is written. Tasks that are ready together then read one after the other,
/// and write one after the other: the code of a step stays in the caches of the processor, and a sleeping peer is woken once for
/// several writes. docs/performance.md has the effect.
///
/// A yield wastes time if no other task is ready. After each such yield more of the next ones are skipped: 1, 3, 7
/// and then 15.
pub async fn yield_if_busy() {
    let mut state = STATE.get();
    if state.to_skip > 0 {
        state.to_skip -= 1;
        STATE.set(state);
        return;
    }
    let begun = state.steps.wrapping_add(1);
    STATE.set(State { steps: begun, is_yielding: true, ..state });
    let is_single = !state.is_yielding;
    yield_now().await;
    // A task that was moved to another thread finds another number there, and does not count as single.
    let state = STATE.get();
    let is_single = is_single && state.steps == begun;
    let to_skip = if is_single { (2 * state.last_skipped + 1).min(MAX_SKIPPED) } else { 0 };
    STATE.set(State { steps: state.steps.wrapping_add(1), is_yielding: false, to_skip, last_skipped: to_skip });
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Mutex;

    use tokio::task::JoinSet;

    use super::*;

    /// Returns the number of yields that are skipped before the next one.
    async fn count_skipped() -> u32 {
        let mut skipped = 0;
        loop {
            let (mut yielding, mut polls) = (pin!(yield_if_busy()), 0);
            poll_fn(|context| {
                polls += 1;
                yielding.as_mut().poll(context)
            })
            .await;
            if polls > 1 {
                return skipped;
            }
            skipped += 1;
        }
    }

    #[tokio::test]
    async fn ready_tasks_take_each_step_together() {
        static STEPS: Mutex<Vec<&str>> = Mutex::new(Vec::new());
        let mut tasks = JoinSet::new();
        for _ in 0..3 {
            tasks.spawn(async {
                for step in ["read", "write", "end"] {
                    STEPS.lock().unwrap().push(step);
                    yield_if_busy().await;
                }
            });
        }
        tasks.join_all().await;
        let expected = ["read", "read", "read", "write", "write", "write", "end", "end", "end"];
        assert_eq!(*STEPS.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn single_task_skips_most_yields() {
        let mut skipped = Vec::new();
        for _ in 0..6 {
            skipped.push(count_skipped().await);
        }
        assert_eq!(skipped, [0, 1, 3, 7, 15, 15]);
    }

    #[tokio::test]
    async fn second_task_ends_the_skipping() {
        for _ in 0..3 {
            count_skipped().await;
        }
        assert_eq!(tokio::join!(count_skipped(), count_skipped()), (7, 0));
        assert_eq!(tokio::join!(count_skipped(), count_skipped()), (0, 0));
    }
}
