//! A relay between planc and a real server that spoils chosen exchanges.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the relay does to requests that match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spoil {
    /// Answers conditional puts with 501, as some stores do.
    NoConditionalPut,
    /// Loses the answers of the first so many puts after they were carried out.
    LoseAnswers(usize),
    /// Answers the first so many puts with 503.
    Busy(usize),
    /// Refuses the parts of uploads, and that uploads are aborted.
    NoParts,
    /// Answers the completion of uploads with 200 and an error in the body.
    ErrorIn200,
    /// Answers everything with 400: the token has expired.
    Expired,
    /// Sends everybody to another region.
    Moved,
    /// Answers with a date that is an hour ahead.
    WrongDate,
    /// Cuts bodies of answers to reads of packs in half.
    HalfBodies,
}

/// Starts a relay to a port; returns its own port. It ends with the test.
pub(super) fn start(to: u16, spoil: Spoil) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            std::thread::spawn(move || {
                // a broken exchange is what these tests are about
                let _ = exchange(client, to, spoil, &count);
            });
        }
    });
    port
}

fn exchange(
    mut client: TcpStream,
    to: u16,
    spoil: Spoil,
    count: &AtomicUsize,
) -> std::io::Result<()> {
    let (head, body) = request(&mut client)?;
    let lower = head.to_ascii_lowercase();
    let put = lower.starts_with("put ") && !lower.contains("planc-device");
    let early = |most| put && count.fetch_add(1, Ordering::SeqCst) < most;
    match spoil {
        Spoil::NoConditionalPut if lower.contains("if-none-match") => {
            let xml = "<Error><Code>NotImplemented</Code><Message>Conditional object PUTs are not \
                       supported.</Message></Error>";
            return answer(&mut client, "501 Not Implemented", xml);
        }
        Spoil::Busy(most) if early(most) => {
            let xml = "<Error><Code>SlowDown</Code></Error>";
            return answer(&mut client, "503 Service Unavailable", xml);
        }
        Spoil::NoParts if lower.contains("uploadid=") => {
            let xml = "<Error><Code>AccessDenied</Code></Error>";
            return answer(&mut client, "403 Forbidden", xml);
        }
        Spoil::Expired => {
            let xml = "<Error><Code>ExpiredToken</Code></Error>";
            return answer(&mut client, "400 Bad Request", xml);
        }
        Spoil::Moved => {
            let xml = "<Error><Code>PermanentRedirect</Code></Error>";
            return answer(&mut client, "301 Moved Permanently", xml);
        }
        Spoil::ErrorIn200 if lower.starts_with("post ") && lower.contains("uploadid=") => {
            let xml = "<Error><Code>InternalError</Code></Error>";
            return answer(&mut client, "200 OK", xml);
        }
        _ => {}
    }
    let lost = matches!(spoil, Spoil::LoseAnswers(most) if early(most));
    let mut reply = forward(&head, &body, to)?;
    if lost {
        return Ok(());
    }
    if spoil == Spoil::WrongDate {
        reply = redate(&reply);
    }
    if spoil == Spoil::HalfBodies && lower.starts_with("get ") && lower.contains("/packs/") {
        let begin = reply
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        reply.truncate(begin + (reply.len() - begin) / 2);
    }
    client.write_all(&reply)
}

fn answer(client: &mut TcpStream, status: &str, xml: &str) -> std::io::Result<()> {
    let length = xml.len();
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{xml}"
    );
    client.write_all(text.as_bytes())
}

/// Head and body of one request.
fn request(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut body = vec![0; length(&head)];
    client.read_exact(&mut body)?;
    Ok((head, body))
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut named = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    named
        .next()
        .map_or(0, |(_, value)| value.trim().parse().unwrap())
}

/// The whole answer of the server, which closes after it.
fn forward(head: &str, body: &[u8], to: u16) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(("127.0.0.1", to))?;
    let lines = head.trim_end().lines();
    let kept = lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head = kept
        .chain(["connection: close\r\n\r\n"])
        .collect::<Vec<_>>();
    server.write_all(head.join("\r\n").as_bytes())?;
    server.write_all(body)?;
    let mut reply = Vec::new();
    server.read_to_end(&mut reply)?;
    Ok(reply)
}

fn redate(reply: &[u8]) -> Vec<u8> {
    let end = reply
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let ahead = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let lines = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("date:"));
    let date = format!("date: {ahead}\r\n\r\n");
    let text = lines
        .chain([date.as_str()])
        .collect::<Vec<_>>()
        .join("\r\n");
    [text.as_bytes(), &reply[end + 4..]].concat()
}
