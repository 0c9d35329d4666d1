//! AWS's test suite for signers, and requests that botocore signed: the cases of `tests/cases/sigv4`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

struct CaseSecrets(BTreeMap<String, String>);

impl SchemeSecrets for CaseSecrets {
    fn secret(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[test]
fn signs_as_the_test_suite_of_aws() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases/sigv4");
    let (mut cases, mut wrong) = (0, String::new());
    for entry in fs::read_dir(folder)? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        cases += 1;
        let found = signed(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let expected = fs::read_to_string(folder.join("expect.txt"))?;
        if found != expected {
            let name = folder.display();
            wrong += &format!("{name}: expected\n{expected}\nfound\n{found}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(cases, 41);
    Ok(())
}

/// The canonical request and the header `authorization` of a case.
fn signed(folder: &Path) -> Result<String, Box<dyn Error>> {
    let case = fs::read_to_string(folder.join("case.txt"))?;
    let mut secrets = BTreeMap::new();
    let mut parameters = Vec::new();
    let mut now_ms = 0;
    for line in case.lines() {
        let (name, value) = line.split_once(": ").ok_or("no `NAME: VALUE`")?;
        match name {
            "access-key-id" | "secret-access-key" | "session-token" => {
                secrets.insert(name.to_owned(), value.to_owned());
            }
            "time" => {
                let time: Timestamp = value.parse()?;
                now_ms = u64::try_from(time.as_millisecond())?;
            }
            _ => parameters.push((name.to_owned(), value.to_owned())),
        }
    }
    let text = fs::read_to_string(folder.join("request.http"))?;
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    let (line, head) = head.split_once('\n').ok_or("no headers")?;
    let (method, target) = line.split_once(' ').ok_or("no method")?;
    let target = target.strip_suffix(" HTTP/1.1").ok_or("no version")?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = headers(head);
    let host = headers.iter().find(|(name, _)| name == "host");
    let request = UnsignedRequest {
        method,
        host: &host.ok_or("no host")?.1,
        path,
        query,
        headers: headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect(),
        body: body.as_bytes(),
    };
    let scheme = AwsSigV4::parse(&parameters)?;
    let secrets = CaseSecrets(secrets);
    let key = secrets.secret("secret-access-key").ok_or("no key")?;
    let fields = scheme.sign(&request, key, &secrets, now_ms)?;
    let header = |name: &str| {
        let found = fields.headers.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.expose_secret().to_owned())
    };
    assert_eq!(
        header("x-amz-security-token").as_deref(),
        secrets.secret("session-token")
    );
    let [_, time] = date_and_time(now_ms)?;
    let canonical = scheme.canonical_request(&request, &time, secrets.secret("session-token"));
    let authorization = header("authorization").ok_or("no authorization")?;
    Ok(format!(
        "{}\n\nauthorization: {authorization}\n",
        String::from_utf8(canonical.text)?
    ))
}

/// The headers, each of which may go on in further lines that begin with white space.
fn headers(head: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.lines() {
        match (line.split_once(':'), headers.last_mut()) {
            (_, Some((_, value))) if line.starts_with(' ') => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (Some((name, value)), _) => {
                headers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            (None, _) => {}
        }
    }
    headers
}
