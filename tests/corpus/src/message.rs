//! HTTP messages as files: a start line, headers, an empty line, the body.

/// A request or a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpMessage {
    /// The request line or the status line.
    pub start_line: String,
    /// The headers. Names are in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, byte by byte.
    pub body: Vec<u8>,
}

impl HttpMessage {
    /// Reads a file.
    ///
    /// # Errors
    /// If there is no empty line, or what is before it is not the head of a message.
    pub fn read(file: &[u8]) -> Result<Self, String> {
        let end = file.windows(2).position(|pair| pair == b"\n\n");
        let end = end.ok_or("needs an empty line after the headers")?;
        let head = std::str::from_utf8(&file[..end]).map_err(|error| error.to_string())?;
        let mut lines = head.lines();
        let start_line = lines.next().unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or("a header needs a colon")?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Self {
            start_line,
            headers,
            body: file[end + 2..].to_vec(),
        })
    }

    /// The path and the query of a request; empty for a response.
    #[must_use]
    pub fn path(&self) -> &str {
        let second = self.start_line.split(' ').nth(1);
        second.filter(|it| it.starts_with('/')).unwrap_or_default()
    }

    /// The status of a response; `None` for a request.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        let line = self.start_line.strip_prefix("HTTP/1.1 ")?;
        line.split(' ').next()?.parse().ok()
    }

    /// The first header of that name, in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(found, _)| found == name);
        header.map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_requests_and_responses() -> Result<(), String> {
        let request =
            HttpMessage::read(b"POST /v1/messages?beta=true HTTP/1.1\nA-b: c: d\n\n{}\n\n")?;
        assert_eq!(request.path(), "/v1/messages?beta=true");
        assert_eq!(
            (request.status(), request.header("a-b")),
            (None, Some("c: d"))
        );
        assert_eq!(request.body, b"{}\n\n");
        let response = HttpMessage::read(b"HTTP/1.1 529 Overloaded\n\n\xff")?;
        assert_eq!((response.status(), response.path()), (Some(529), ""));
        assert_eq!(response.body, b"\xff");
        assert!(HttpMessage::read(b"HTTP/1.1 200 OK\n").is_err());
        assert!(HttpMessage::read(b"HTTP/1.1 200 OK\nno colon\n\n").is_err());
        Ok(())
    }
}
