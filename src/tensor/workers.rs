//! The threads that share the work.

/// Runs `f` on a pool of `threads` (0: as many as processors), of which the calling thread is one.
///
/// Meant for the whole of a program. Called from outside of a pool, each of the thousands of small parallel loops of a
/// training step would wake a worker and sleep until it is done: half the time of a small step. Called from another thread
/// of the pool, the large tensors would come from an arena of that thread, which the C library gives back to the system
/// again and again, whatever [`keep_freed_memory`](super::keep_freed_memory) says.
///
/// # Errors
/// The system has no threads left.
pub fn on_workers<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> Result<R, rayon::ThreadPoolBuildError> {
    let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads);
    // A thread belongs to one pool only.
    let pool = if rayon::current_thread_index().is_none() { pool().use_current_thread() } else { pool() };
    Ok(pool.build()?.install(f))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_one_of_the_workers_once() {
        // A thread that has been a worker stays one.
        let nested = || {
            let caller = std::thread::current().id();
            on_workers(3, || {
                assert_eq!((rayon::current_num_threads(), std::thread::current().id()), (3, caller));
                on_workers(2, rayon::current_num_threads).unwrap()
            })
            .unwrap()
        };
        assert_eq!(std::thread::spawn(nested).join().unwrap(), 2);
    }
}
