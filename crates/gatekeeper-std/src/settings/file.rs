//! Files of settings.

use super::{Settings, SettingsError};
use gatekeeper_proto::Profile;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A TOML file of settings, read and checked. See the [module's documentation](super) for what it looks like.
#[derive(Clone, Debug)]
pub struct SettingsFile {
    path: PathBuf,
    /// The top level, its profiles included.
    top: Settings,
}

/// More than this is no file of settings.
const MAX_BYTES: u64 = 1 << 20;

impl SettingsFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] names the file and, for what is wrong inside, the line and the key. It shows no value that may
    /// be secret.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, SettingsError> {
        let path = path.as_ref();
        let shown = path.display();
        let unreadable = |e| SettingsError::new(format!("the settings file {shown} cannot be read: {e}"));
        let file = File::open(path).map_err(unreadable)?;
        let private = is_private(&file);
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(SettingsError::new(format!("the settings file {shown} is longer than {MAX_BYTES} bytes")));
        }
        Self::parse(path, &text, private)
    }

    fn parse(path: &Path, text: &str, private: bool) -> Result<Self, SettingsError> {
        let shown = path.display();
        let mut top: Settings = toml::from_str(text).map_err(|e| {
            // The error's own Display would show the line, and a secret may stand in it.
            let line = e.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            explain(&format!("{shown} line {line}"), e.message())
        })?;
        let directory = path.parent().unwrap_or_else(|| Path::new(""));
        let name_of = |name: &str| name.to_owned();
        finish(&mut top, directory, private, &shown.to_string())?;
        top.check_groups(name_of).map_err(|e| e.within(&shown.to_string()))?;
        for (name, profile) in &mut top.profiles {
            let place = format!("{shown}, profile {name}");
            if !profile.profiles.is_empty() {
                return Err(SettingsError::new(format!("{place}: a profile has no profiles of its own")));
            }
            finish(profile, directory, private, &place)?;
            profile.check_groups(name_of).map_err(|e| e.within(&place))?;
        }
        Ok(Self { path: path.to_owned(), top })
    }

    /// The names of its profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.top.profiles.keys().map(String::as_str)
    }
}

impl Settings {
    /// These settings, and from the file what is not set here: from the profile that is asked for, then from the top
    /// level. After this, [`profile`](Self::profile) is one of the built-in names.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] if there is no such profile, or if it does not say which system it is for.
    pub fn with_file(mut self, file: Option<&SettingsFile>) -> Result<Self, SettingsError> {
        let top = file.map(|file| file.top.clone()).unwrap_or_default();
        let Some(name) = self.profile.take().or_else(|| top.profile.clone()) else { return Ok(self.over(top)) };
        let Some(mut own) = top.profiles.get(&name).cloned() else {
            if Profile::named(&name).is_none() {
                return Err(unknown(&name, file));
            }
            let mut settings = self.over(top);
            settings.profile = Some(name);
            return Ok(settings);
        };
        let is_system = |name: &String| Profile::named(name).is_some();
        let base = own.profile.take().or_else(|| Some(name.clone()).filter(is_system));
        let base = base.or_else(|| top.profile.clone().filter(is_system));
        let place = file.map_or_else(String::new, |file| file.path.display().to_string());
        let Some(base) = base.filter(is_system) else {
            return Err(SettingsError::new(format!("{place}: the profile {name} does not say which system it is for"))
                .advise(format!("add profile = \"...\" to it: {}", built_in())));
        };
        let mut settings = self.over(own).over(top);
        settings.profile = Some(base);
        Ok(settings)
    }
}

/// Checks inline secrets, and lets relative paths begin at the file's directory.
fn finish(settings: &mut Settings, directory: &Path, private: bool, place: &str) -> Result<(), SettingsError> {
    for secret in settings.secrets() {
        if secret.value.is_some() && !private {
            let name = secret.name;
            return Err(SettingsError::new(format!("{place}: {name} stands in a file that others can read")).advise(
                format!("use {name}_file or {name}_env instead, or let nobody else read the file (chmod 600)"),
            ));
        }
        if let Some(path) = secret.file.as_mut().filter(|path| *path != Path::new("-")) {
            *path = directory.join(&*path);
        }
    }
    if let Some(path) = &mut settings.ca_file {
        *path = directory.join(&*path);
    }
    Ok(())
}

fn explain(place: &str, message: &str) -> SettingsError {
    let message = message.lines().next().unwrap_or_default();
    if message.starts_with("unknown field") {
        let (message, _) = message.split_once(',').unwrap_or((message, ""));
        return SettingsError::new(format!("{place}: {message}"))
            .advise(format!("the settings are {}", Settings::NAMES.join(", ")));
    }
    match message.split_once(", expected ") {
        // What was found instead of the right type is left out: it may be a secret that was put in the wrong place.
        Some((found, expected)) if found.starts_with("invalid") => {
            SettingsError::new(format!("{place}: expected {expected}"))
        }
        _ => SettingsError::new(format!("{place}: {message}")),
    }
}

fn unknown(name: &str, file: Option<&SettingsFile>) -> SettingsError {
    let mut known = built_in();
    for profile in file.iter().flat_map(|file| file.profiles()) {
        known.push_str(", ");
        known.push_str(profile);
    }
    let error = SettingsError::new(format!("there is no profile `{name}`"));
    match file {
        Some(_) => error.advise(format!("the profiles are {known}")),
        None => error.advise(format!("the profiles are {known}; others need a file (--config)")),
    }
}

/// The names of the systems.
pub(super) fn built_in() -> String {
    Profile::ALL.map(|profile| profile.name).join(", ")
}

impl SettingsError {
    fn within(mut self, place: &str) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

/// Whether nobody but the owner can read the file, as far as the operating system says.
#[cfg(unix)]
fn is_private(file: &File) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
}

/// Elsewhere nobody can tell, so secrets go into files of their own.
#[cfg(not(unix))]
fn is_private(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
timeout = "10s"
profile = "staging"
ca_file = "ca.pem"
token_url = "https://top/token"

[profiles.staging]
profile = "gatekeeper"
auth_server_url = "https://staging"
client_secret_file = "secrets/staging"
param = { channel = "web" }

[profiles.rator]
brand_key = "B"

[profiles.loose]
client_id = "c"
"#;

    fn file() -> SettingsFile {
        SettingsFile::parse(Path::new("/etc/gk.toml"), FILE, false).unwrap()
    }

    fn error(text: &str, private: bool) -> SettingsError {
        SettingsFile::parse(Path::new("gk.toml"), text, private).unwrap_err()
    }

    #[test]
    fn a_profile_goes_before_the_top_and_options_before_both() {
        let mut options = Settings::default();
        let s = options.clone().with_file(Some(&file())).unwrap();
        assert_eq!(s.profile.as_deref(), Some("gatekeeper"));
        assert_eq!((s.auth_server_url.as_deref(), s.token_url), (Some("https://staging"), None));
        assert_eq!(s.client_secret_file.as_deref(), Some(Path::new("/etc/secrets/staging")));
        assert_eq!(s.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(s.timeout.unwrap().0.as_secs(), 10);
        assert_eq!(s.param.unwrap().0, [("channel".to_owned(), "web".to_owned())]);

        options.profile = Some("rator".to_owned());
        options.brand_key = Some("mine".to_owned());
        let s = options.clone().with_file(Some(&file())).unwrap();
        assert_eq!((s.profile.as_deref(), s.brand_key.as_deref()), (Some("rator"), Some("mine")));
        assert_eq!(s.token_url.as_deref(), Some("https://top/token"));

        options.profile = Some("generic".to_owned());
        let s = options.with_file(Some(&file())).unwrap();
        assert_eq!((s.profile.as_deref(), s.client_secret_file), (Some("generic"), None));
    }

    #[test]
    fn profiles_that_are_none() {
        let named = |name: &str| Settings { profile: Some(name.to_owned()), ..Settings::default() };
        let e = named("prod").with_file(Some(&file())).unwrap_err();
        assert_eq!(e.to_string(), "there is no profile `prod`");
        assert_eq!(e.advice(), Some("the profiles are gatekeeper, oauth-v2, rator, generic, loose, rator, staging"));
        let e = named("prod").with_file(None).unwrap_err();
        assert!(e.advice().unwrap().ends_with("generic; others need a file (--config)"));
        let e = named("loose").with_file(Some(&file())).unwrap_err();
        assert_eq!(e.to_string(), "/etc/gk.toml: the profile loose does not say which system it is for");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, want) in [
            ("a = 1", "gk.toml line 1: unknown field `a`"),
            ("\nscope = \"s\"\n[profiles.x]\nclientid = \"c\"", "gk.toml line 4: unknown field `clientid`"),
            ("timeout = \"soon\"", "gk.toml line 1: `soon` is no time: write 5s, 500ms or 2m"),
            ("\n\nscope = ", "gk.toml line 3: "),
            ("basic = \"rare\"", "gk.toml line 1: unknown variant `rare`"),
            ("[profiles.x.profiles.y]", "gk.toml, profile x: a profile has no profiles of its own"),
            (
                "[profiles.x]\ntoken_url = \"a\"\nauth_server_url = \"b\"",
                "gk.toml, profile x: token_url and auth_server_url are both given, and only one can be",
            ),
            ("client_secret = \"s3cr3t\"", "gk.toml: client_secret stands in a file that others can read"),
            ("[profiles.x]\napi_key = \"s3cr3t\"", "gk.toml, profile x: api_key stands in a file that others can read"),
        ] {
            let error = error(text, false).to_string();
            assert!(error.starts_with(want), "{error}");
        }
        assert!(error("a = 1", false).advice().unwrap().contains("token_url, auth_server_url"));
    }

    #[test]
    fn no_mistake_shows_a_secret() {
        for text in [
            "client_secert = \"s3cr3t\"",
            "client_secret = s3cr3t",
            "client_secret = \"s3cr3t",
            "client_secret = [\"s3cr3t\"]",
            "client_secret = 5318008",
            "client_secret = 5318008.5",
            "client_secret = \"s3cr3t\" scope = \"x\"",
            "client_secret = \"s3cr3t\"\nclient_secret = \"s3cr3t\"",
            "client_secret = \"\\s3cr3t\"",
            "param = { assertion = 5318008 }",
            "param = { assertion = [\"s3cr3t\"] }",
            "param = \"s3cr3t\"",
            "client_secret = \"s3cr3t\"\nclient_secret_env = \"E\"",
        ] {
            let error = error(text, true);
            for shown in [format!("{error}"), format!("{error:?}")] {
                assert!(!shown.contains("s3cr3t") && !shown.contains("5318008"), "{shown}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_may_stand_in_a_private_file() {
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("gatekeeper-settings-{}.toml", std::process::id()));
        std::fs::write(&path, "client_secret = \"s3cr3t\"").unwrap();
        for (mode, readable) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(SettingsFile::read(&path).is_ok(), readable, "{mode:o}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(SettingsFile::read(&path).unwrap_err().to_string().contains("cannot be read: No such file"));
    }
}
