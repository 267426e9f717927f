//! Waiting for a file, with a deadline.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::time::{Duration, Instant};

/// Sleeps until there is something to read; `false` if there is nothing when the deadline has passed.
pub fn readable(file: impl AsFd, deadline: Duration) -> bool {
    let begin = Instant::now();
    loop {
        let left = deadline.saturating_sub(begin.elapsed());
        let timeout = Timespec::try_from(left).ok();
        let mut files = [PollFd::new(&file, PollFlags::IN)];
        match poll(&mut files, timeout.as_ref()) {
            Err(Errno::INTR) => {}
            Err(_) | Ok(0) => return false,
            Ok(_) => return files[0].revents().contains(PollFlags::IN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_with_nothing_in_it_ends_the_wait_at_the_deadline() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let begin = Instant::now();
        assert!(!readable(&reader, Duration::from_millis(30)));
        assert!(begin.elapsed() >= Duration::from_millis(30));
        writer.write_all(b"x").expect("written");
        assert!(readable(&reader, Duration::from_secs(60)));
    }
}
