//! How is a running server asked? Over the socket in its data directory; a command waits for the answer and ends.
//!
//! As long as [`AskError::NobodyListens`] is the answer, nothing was sent. After it was sent, nothing is tried twice.

use crate::control::request::{Answer, BadAnswer, Request};
use crate::control::{ANSWER_PATIENCE, MAX_ANSWER_BYTES, PATIENCE, socket_path};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No server listens there; nothing was asked.
    #[error("no server listens on {}: {cause}", .path.display())]
    NobodyListens {
        /// The socket.
        path: PathBuf,
        /// How it was noticed.
        cause: io::Error,
    },
    /// The socket belongs to somebody else; nothing was asked.
    #[error("{} is closed to you. Run this as the user who runs the server", .path.display())]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The server went away or takes too long.
    #[error(
        "the server was asked but did not answer ({}); it may have stopped. Run the command again to be sure \
         that it is done",
        in_words(.0)
    )]
    NoAnswer(#[source] io::Error),
    /// It speaks otherwise.
    #[error(
        "the running server answers in a way that Keyward {} does not understand. Use the same executable that serves, \
         or restart the server with this one",
        env!("CARGO_PKG_VERSION")
    )]
    NotUnderstood(#[from] BadAnswer),
}

fn in_words(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            format!("nothing came within {} seconds", ANSWER_PATIENCE.as_secs())
        }
        io::ErrorKind::UnexpectedEof => "the connection ended".to_owned(),
        _ => cause.to_string(),
    }
}

/// Asks the server that has its data in `directory`. Blocks for half a minute at most.
pub fn ask(directory: &Path, request: &Request) -> Result<Answer, AskError> {
    let path = socket_path(directory);
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => return Err(AskError::NotAllowed { path }),
        Err(cause) => return Err(AskError::NobodyListens { path, cause }),
    };
    exchange(&mut stream, request).map_err(AskError::NoAnswer).and_then(|line| Ok(Answer::parse(&line)?))
}

/// Sends the request and reads the line of the answer.
fn exchange(stream: &mut UnixStream, request: &Request) -> io::Result<Zeroizing<Vec<u8>>> {
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_read_timeout(Some(ANSWER_PATIENCE))?;
    // Who refuses without listening has sent the reason, which is worth more than the failure to send.
    let sent = stream.write_all(request.to_line().as_bytes());
    let mut line = Zeroizing::new(Vec::new());
    let read = BufReader::new(stream).take(MAX_ANSWER_BYTES as u64).read_until(b'\n', &mut line);
    if line.pop() == Some(b'\n') {
        return Ok(line);
    }
    sent?;
    read?;
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Request;
    use std::os::unix::net::UnixListener;
    use std::thread;

    /// What is told when a server takes the connection, reads the request if told to, and sends this.
    fn told(reads: bool, sends: &'static [u8]) -> Result<Answer, String> {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket_path(folder.path())).unwrap();
        thread::scope(|scope| {
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                if reads {
                    BufReader::new(&stream).read_line(&mut String::new()).unwrap();
                }
                stream.write_all(sends).unwrap();
            });
            ask(folder.path(), &Request::ListKeys).map_err(|error| error.to_string())
        })
    }

    #[test]
    fn an_answer_is_read_and_so_is_a_refusal_from_who_does_not_listen() {
        let refusal = b"{\"version\":2,\"answer\":{\"refused\":\"No.\"}}\n";
        assert_eq!(told(true, refusal), Ok(Answer::Refused("No.".to_owned())));
        assert_eq!(told(false, refusal), Ok(Answer::Refused("No.".to_owned())));
    }

    #[test]
    fn a_server_that_goes_away_or_speaks_otherwise_is_an_error_that_says_what_to_do() {
        for cut in [&b""[..], b"{\"version\":2,\"answer\":{\"done\":\"half"] {
            let error = told(true, cut).unwrap_err();
            assert!(error.contains("Run the command again"), "{error}");
        }
        let error = told(true, b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        assert!(error.contains("same executable"), "{error}");
    }

    #[test]
    fn nothing_is_asked_where_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let listens_not = || matches!(ask(folder.path(), &Request::ListKeys), Err(AskError::NobodyListens { .. }));
        assert!(listens_not(), "no socket");
        drop(UnixListener::bind(socket_path(folder.path())).unwrap());
        assert!(listens_not(), "a socket that was left");
        let long = folder.path().join("d".repeat(120));
        assert!(matches!(ask(&long, &Request::ListKeys), Err(AskError::NobodyListens { .. })));
    }
}
