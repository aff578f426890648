//! Sends single commands in the protocol of Redis (RESP).

use std::io::{BufRead as _, BufReader, Read as _, Result, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// The time limit of a command.
const LIMIT: Duration = Duration::from_secs(5);

/// Sends a command, and returns the reply as text. The elements of an array are lines.
pub(crate) fn send(port: u16, command: &[&str]) -> Result<String> {
    send_all(port, &[command])
}

/// Sends commands over one connection, and returns the reply to the last one as text.
pub(crate) fn send_all(port: u16, commands: &[&[&str]]) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut reply = String::new();
    for command in commands {
        stream.write_all(encode(command).as_bytes())?;
        reply = read(&mut reader)?;
    }
    Ok(reply)
}

fn encode(command: &[&str]) -> String {
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    request
}

fn read(reader: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let (kind, rest) = line.trim_end().split_at_checked(1).ok_or(std::io::ErrorKind::UnexpectedEof)?;
    match kind {
        "$" => {
            let Ok(length) = rest.parse::<usize>() else { return Ok(String::new()) };
            let mut text = vec![0; length + 2];
            reader.read_exact(&mut text)?;
            text.truncate(length);
            Ok(String::from_utf8_lossy(&text).into_owned())
        }
        "*" => {
            let count = rest.parse().unwrap_or(0);
            Ok((0..count).map(|_| read(reader)).collect::<Result<Vec<_>>>()?.join("\n"))
        }
        "-" => Err(std::io::Error::other(rest.to_owned())),
        _ => Ok(rest.to_owned()),
    }
}
