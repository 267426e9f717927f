//! Two guests with a wire between them.

use super::task::Task;
use super::{Lab, Options};
use crate::error::LabError;
use crate::guest::folder;
use crate::guest::qemu::Wire;
use crate::guest::streams::Streams;
use crate::process::Stop;
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a guest goes on after the other has died: longer than its programs need to notice.
const GRACE: Duration = Duration::from_secs(20);

impl Lab {
    /// Runs a command in each of two guests that share a wire; gives both exit codes. Each finds
    /// its number in `LAB_GUEST` and the other's name in `LAB_PEER`.
    pub fn run_pair(
        &self,
        options: [&Options; 2],
        commands: [&[OsString]; 2],
        streams: [Streams; 2],
        stop: &Stop,
    ) -> [Result<u8, LabError>; 2] {
        let [first, second] = streams;
        let tasks = [Task::Command(commands[0], first), Task::Command(commands[1], second)];
        self.pair(options, tasks, stop)
    }

    /// A shell in one of two guests; `telnet guest1` there gives one in the other.
    pub fn shell_pair(&self, options: [&Options; 2], stop: &Stop) -> Result<u8, LabError> {
        let [shell, served] = self.pair(options, [Task::Shell, Task::Serve], stop);
        match (shell, served) {
            // The shell's end ends the other: that is no failure.
            (Ok(code), _) => Ok(code),
            (Err(LabError::Stopped), Err(why)) => Err(why),
            (Err(why), _) => Err(why),
        }
    }

    fn pair(
        &self,
        options: [&Options; 2],
        tasks: [Task; 2],
        stop: &Stop,
    ) -> [Result<u8, LabError>; 2] {
        let failed = |error: LabError| [Err(error), Err(LabError::Stopped)];
        let folder = match folder::sockets() {
            Ok(folder) => folder,
            Err(error) => return failed(error),
        };
        let socket = folder.path().join("wire.sock");
        let [first, second] = tasks;
        // Both end together if one fails, or if the shell ends. A guest that died is noticed by the
        // other's programs first, as a machine that died is.
        let both = Stop::default();
        let died = Mutex::new(None);
        thread::scope(|scope| {
            let run = |guest: usize, task| {
                let (both, socket, died) = (both.clone(), socket.clone(), &died);
                scope.spawn(move || {
                    let is_shell = matches!(task, Task::Shell);
                    let wire = Wire { socket, guest };
                    let ended = self.task(options[guest], task, Some(&wire), &both);
                    match &ended {
                        Err(error) if error.is_death() => {
                            *died.lock().unwrap_or_else(PoisonError::into_inner) =
                                Some(Instant::now());
                        }
                        Err(_) => both.ask(),
                        Ok(_) if is_shell => both.ask(),
                        Ok(_) => {}
                    }
                    ended
                })
            };
            let guests = [run(0, first), run(1, second)];
            while !guests.iter().all(thread::ScopedJoinHandle::is_finished) {
                let died = *died.lock().unwrap_or_else(PoisonError::into_inner);
                if stop.asked() || died.is_some_and(|died| died.elapsed() > GRACE) {
                    both.ask();
                }
                thread::sleep(Duration::from_millis(10));
            }
            guests.map(|guest| guest.join().unwrap_or(Err(LabError::Stopped)))
        })
    }
}
