//! `WWW-Authenticate` (RFC 9110 section 11.6.1).
//!
//! Read to the grammar, with one named exception: Amazon API Gateway separates parameters by spaces instead of commas,
//! which is accepted because its callers meet it every day. Nothing is unescaped or copied; a [`Challenge`] borrows from
//! the header. Values come from the peer and may echo a token (Spring does that): they are not for logs, so `Debug`
//! prints names alone.

use crate::class::Class;
use core::fmt;

/// The most parameters one challenge may have, which bounds the search for repeated names.
pub const MAX_PARAMETERS: usize = 32;

/// The challenges of one header line, from first to last.
///
/// Several lines are several walks, one after the other. After an error the walk ends.
///
/// ```
/// use gatekeeper_proto::wire::challenge::Challenges;
///
/// let line = br#"Bearer realm="api", error="invalid_token", DPoP algs="ES256""#;
/// let mut challenges = Challenges::new(line);
/// let bearer = challenges.next().unwrap()?;
/// assert_eq!(bearer.scheme(), "Bearer");
/// assert!(bearer.parameter("error").is_some_and(|v| v.is("invalid_token")));
/// # Ok::<(), gatekeeper_proto::wire::challenge::Error<'static>>(())
/// ```
#[derive(Clone)]
pub struct Challenges<'a> {
    line: &'a [u8],
    at: usize,
}

/// One challenge: a scheme with either parameters or a `token68`.
#[derive(Clone, Copy)]
pub struct Challenge<'a> {
    scheme: &'a [u8],
    token68: Option<&'a [u8]>,
    parameters: &'a [u8],
}

/// The parameters of a challenge in their order.
#[derive(Clone)]
pub struct Parameters<'a> {
    rest: &'a [u8],
}

/// A parameter's value as it stands on the line.
#[derive(Clone, Copy)]
pub struct ParameterValue<'a> {
    raw: &'a [u8],
    quoted: bool,
}

/// A line that breaks the grammar.
#[derive(Clone, Copy)]
pub struct Error<'a> {
    /// Where, in bytes from the beginning of the line.
    pub offset: usize,
    /// The challenge at hand with the parameters read before the damage. Spring writes quotes inside quoted text
    /// without escaping them, behind the parameter that matters.
    pub partial: Option<Challenge<'a>>,
}

impl<'a> Challenges<'a> {
    /// The challenges of one header line's value.
    pub const fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    fn fail(&mut self, offset: usize, partial: Option<Challenge<'a>>) -> Option<Result<Challenge<'a>, Error<'a>>> {
        self.at = self.line.len();
        Some(Err(Error { offset, partial }))
    }
}

impl<'a> Iterator for Challenges<'a> {
    type Item = Result<Challenge<'a>, Error<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line;
        self.at = skip_list_separators(line, self.at);
        if self.at >= line.len() {
            return None;
        }
        let scheme_at = self.at;
        let scheme_end = token_end(line, scheme_at);
        let scheme = line.get(scheme_at..scheme_end).unwrap_or_default();
        let after = skip_blanks(line, scheme_end);
        let mut challenge = Challenge { scheme, token68: None, parameters: &[] };
        if scheme.is_empty() || line.get(after) == Some(&b'=') {
            return self.fail(scheme_end, None);
        }
        if after == scheme_end {
            return match line.get(after) {
                None | Some(b',') => {
                    self.at = after;
                    Some(Ok(challenge))
                }
                Some(_) => self.fail(after, None),
            };
        }
        if let Some(end) = token68_end(line, after) {
            challenge.token68 = line.get(after..end);
            self.at = end;
            return Some(Ok(challenge));
        }
        let begin = skip_list_separators(line, after);
        if !is_parameter(line, begin) {
            // The blank after the scheme led to a comma or to the end, not to parameters.
            return if begin > after || begin >= line.len() {
                self.at = begin;
                Some(Ok(challenge))
            } else {
                self.fail(begin, Some(challenge))
            };
        }
        let mut at = begin;
        let mut count = 0;
        loop {
            let read = line.get(begin..at).unwrap_or_default();
            let (name, _, end) = match parameter(line, at) {
                Ok(found) => found,
                Err(offset) => {
                    challenge.parameters = read;
                    return self.fail(offset, Some(challenge));
                }
            };
            let repeated = Parameters { rest: read }.any(|(other, _)| other.as_bytes().eq_ignore_ascii_case(name));
            count += 1;
            if repeated || count > MAX_PARAMETERS {
                challenge.parameters = read;
                return self.fail(at, Some(challenge));
            }
            challenge.parameters = line.get(begin..end).unwrap_or_default();
            let blank_end = skip_blanks(line, end);
            match line.get(blank_end) {
                None => {
                    self.at = blank_end;
                    return Some(Ok(challenge));
                }
                Some(b',') => {
                    at = skip_list_separators(line, blank_end);
                    if !is_parameter(line, at) {
                        self.at = at;
                        return Some(Ok(challenge));
                    }
                }
                Some(_) if blank_end > end && is_parameter(line, blank_end) => at = blank_end,
                Some(_) => return self.fail(blank_end, Some(challenge)),
            }
        }
    }
}

impl<'a> Challenge<'a> {
    /// The scheme as it is written; compare it without regard to case.
    pub fn scheme(&self) -> &'a str {
        ascii(self.scheme)
    }

    /// Whether this is a challenge of the given scheme.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme.as_bytes())
    }

    /// The `token68`, which stands where other challenges have parameters.
    pub fn token68(&self) -> Option<&'a str> {
        self.token68.map(ascii)
    }

    /// The parameters in their order; names are as written.
    pub fn parameters(&self) -> Parameters<'a> {
        Parameters { rest: self.parameters }
    }

    /// The value of the parameter of this name, which is compared without regard to case.
    pub fn parameter(&self, name: &str) -> Option<ParameterValue<'a>> {
        self.parameters().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = (&'a str, ParameterValue<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = skip_list_separators(self.rest, 0);
        let (name, value, end) = parameter(self.rest, at).ok()?;
        self.rest = self.rest.get(end..).unwrap_or_default();
        Some((ascii(name), value))
    }
}

impl<'a> ParameterValue<'a> {
    /// The value's bytes, each quoted pair replaced by the byte behind its backslash (RFC 9110 section 5.6.4).
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        let quoted = self.quoted;
        let mut raw = self.raw.iter();
        core::iter::from_fn(move || match raw.next() {
            Some(b'\\') if quoted => raw.next().copied(),
            other => other.copied(),
        })
    }

    /// Whether the value is this text.
    pub fn is(&self, text: &str) -> bool {
        self.bytes().eq(text.bytes())
    }
}

impl fmt::Debug for Challenges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").finish_non_exhaustive()
    }
}

impl fmt::Debug for Challenge<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scheme())?;
        f.debug_list().entries(self.parameters().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for Parameters<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone().map(|(name, _)| name)).finish()
    }
}

impl fmt::Debug for ParameterValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.raw.len())
    }
}

impl fmt::Debug for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("offset", &self.offset).finish_non_exhaustive()
    }
}

impl fmt::Display for Error<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a WWW-Authenticate line that breaks its grammar at byte {}", self.offset)
    }
}

impl core::error::Error for Error<'_> {}

fn ascii(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

fn skip_blanks(b: &[u8], mut i: usize) -> usize {
    while let Some(b' ' | b'\t') = b.get(i) {
        i += 1;
    }
    i
}

/// Skips blanks and commas: a list may have empty elements (RFC 9110 section 5.6.1.2).
fn skip_list_separators(b: &[u8], mut i: usize) -> usize {
    while let Some(b' ' | b'\t' | b',') = b.get(i) {
        i += 1;
    }
    i
}

fn token_end(b: &[u8], i: usize) -> usize {
    Class::TOKEN.run_end(b, i)
}

/// Where the `token68` at `i` ends, if there is one and nothing but a comma or the end follows it.
fn token68_end(b: &[u8], i: usize) -> Option<usize> {
    let mut end = i;
    while b.get(end).is_some_and(|&c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.' | b'_' | b'~' | b'+' | b'/'))
    {
        end += 1;
    }
    if end == i {
        return None;
    }
    while b.get(end) == Some(&b'=') {
        end += 1;
    }
    matches!(b.get(skip_blanks(b, end)), None | Some(b',')).then_some(end)
}

/// Whether a parameter begins at `i`: a name and an equals sign.
fn is_parameter(b: &[u8], i: usize) -> bool {
    let end = token_end(b, i);
    end > i && b.get(skip_blanks(b, end)) == Some(&b'=')
}

/// Name, value and end of the parameter at `i`, or where it breaks the grammar.
fn parameter(b: &[u8], i: usize) -> Result<(&[u8], ParameterValue<'_>, usize), usize> {
    let name_end = token_end(b, i);
    let equals = skip_blanks(b, name_end);
    if name_end == i || b.get(equals) != Some(&b'=') {
        return Err(name_end);
    }
    let name = b.get(i..name_end).unwrap_or_default();
    let begin = skip_blanks(b, equals + 1);
    if b.get(begin) != Some(&b'"') {
        let end = token_end(b, begin);
        let raw = b.get(begin..end).unwrap_or_default();
        return if raw.is_empty() { Err(begin) } else { Ok((name, ParameterValue { raw, quoted: false }, end)) };
    }
    let mut end = begin + 1;
    loop {
        match b.get(end) {
            Some(b'"') => break,
            Some(b'\\') if b.get(end + 1).is_some_and(|&c| Class::TEXT.has(c)) => end += 2,
            Some(&c) if c != b'\\' && Class::TEXT.has(c) => end += 1,
            _ => return Err(end),
        }
    }
    Ok((name, ParameterValue { raw: b.get(begin + 1..end).unwrap_or_default(), quoted: true }, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Vec<String>, Option<(usize, Option<String>)>) {
        let show = |c: Challenge<'_>| {
            let mut s = c.scheme().to_owned();
            for (name, value) in c.parameters() {
                s += &format!(" {name}={}", String::from_utf8_lossy(&value.bytes().collect::<Vec<_>>()));
            }
            s
        };
        let (mut good, mut bad) = (Vec::new(), None);
        for item in Challenges::new(line.as_bytes()) {
            match item {
                Ok(c) => good.push(show(c)),
                Err(e) => bad = Some((e.offset, e.partial.map(show))),
            }
        }
        (good, bad)
    }

    #[test]
    fn what_stands_before_the_damage_is_kept() {
        let line = r#"Basic realm="x", Bearer error="invalid_token", error_description="Cannot read "x" here", a=b"#;
        let (good, bad) = read(line);
        assert_eq!(good, ["Basic realm=x"]);
        let (offset, partial) = bad.unwrap();
        assert_eq!(&line[offset..offset + 1], "x");
        assert_eq!(partial.unwrap(), "Bearer error=invalid_token error_description=Cannot read ");
    }

    #[test]
    fn spaces_instead_of_commas_are_let_through_only_between_parameters() {
        assert_eq!(read(r#"Bearer scope="" error="e""#).0, ["Bearer scope= error=e"]);
        assert!(read(r#"Bearer scope="" Basic realm="x""#).1.is_some());
        assert!(read(r#"Bearer scope=""error="e""#).1.is_some());
    }

    #[test]
    fn parameters_are_counted() {
        let line = |n: usize| format!("X {}", (0..n).map(|i| format!("p{i}=v")).collect::<Vec<_>>().join(","));
        assert!(read(&line(MAX_PARAMETERS)).1.is_none());
        assert!(read(&line(MAX_PARAMETERS + 1)).1.is_some());
    }

    #[test]
    fn debug_prints_names_and_no_value() {
        let c = Challenges::new(b"Bearer error_description=\"Invalid access token: s3cret\"").next().unwrap().unwrap();
        assert_eq!(format!("{c:?}"), "Bearer[\"error_description\"]");
    }
}
