//! What the allocator does with the large buffers of tensors.

/// Keeps freed memory in the process. A training step takes and frees the same large tensors again and again; the C
/// library gives each back to the system and takes it anew, and the system clears every page: 11 % of the time of a step
/// of DL-mAMPnet's paper form. Meant for the start of a program; the peak grows a little (3 % there) and is not given back.
///
/// Does something on Linux with glibc only.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: libc::c_int = 1 << 30;
        // SAFETY: mallopt takes two numbers, and glibc locks its own state.
        #[expect(unsafe_code, reason = "the allocator has no safe interface")]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
        }
    }
}
