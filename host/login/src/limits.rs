//! Every limit of a login, with its unit and its reason.

use std::time::Duration;

/// How much slower each `slow_down` makes the polling (RFC 8628, section 3.5).
pub const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// The interval between two polls if the provider names none (RFC 8628, section 3.2).
pub const POLL_INTERVAL_DEFAULT: Duration = Duration::from_secs(5);

/// The shortest interval between two polls, also for providers that name zero: a person needs longer.
pub const POLL_INTERVAL_MIN: Duration = Duration::from_secs(1);

/// The longest interval between two polls. Each missing response doubles the interval (RFC 8628, section 3.5),
/// and a person who has consented should not wait for longer.
pub const POLL_INTERVAL_MAX: Duration = Duration::from_secs(60);

/// The longest life of a device code. GitHub's and Entra's live for 15 minutes, Google's for 30.
pub const DEVICE_LIFETIME_MAX: Duration = Duration::from_mins(30);

/// The life of a login by authorization code. A person logs in and consents meanwhile; the loopback listener is
/// open for no longer than this.
pub const CODE_LIFETIME: Duration = Duration::from_mins(5);

/// The longest response of an endpoint, in bytes. Tokens have a few KiB, and an `id_token` may list groups.
pub const RESPONSE_BYTES_MAX: usize = 256 << 10;

/// The longest callback URL, in bytes. Codes of up to 4 KiB are in use.
pub const CALLBACK_BYTES_MAX: usize = 16 << 10;

/// The longest token or code, in bytes: credentials accept no longer secrets.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;

/// The longest user code, in characters. A person types it; those in use have 8 to 11.
pub const USER_CODE_CHARS_MAX: usize = 64;

/// The longest URL of a verification page, in bytes. A person reads it.
pub const VERIFICATION_URI_BYTES_MAX: usize = 2 << 10;

/// The longest account id or label, in bytes. Both become part of a credential that plugins can read; no longer
/// e-mail address exists (RFC 5321, section 4.5.3.1).
pub const ACCOUNT_BYTES_MAX: usize = 256;

/// From this length on, in bytes, an account id that is a part of a token, or has one as a part, counts as a piece
/// of the token. A shorter part may be chance or design, such as a user's name.
pub const TOKEN_PIECE_BYTES_MIN: usize = 16;

/// The longest error code that a message repeats, in characters. Those of the RFCs have up to 25.
pub const ERROR_CODE_CHARS_MAX: usize = 64;

/// The longest error description that a message repeats, in characters: a few sentences.
pub const ERROR_DESCRIPTION_CHARS_MAX: usize = 256;

/// The longest life of an access token that is believed. A longer one is a mistake, such as a time in milliseconds, and
/// has no date that can be written down; the token then counts as one without an expiry.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_hours(10 * 365 * 24);
