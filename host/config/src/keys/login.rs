//! Keys of logins by OAuth 2.0, under a provider.

use jackfield_login::{ClientAuthentication, RedirectHost};

use crate::key::{
    DefaultKey, OptionalKey, RequiredKey, Section, default, optional, required, section,
};
use crate::kinds::{
    Choice, Line, List, LoginUrl, MapOf, Nested, Origin, Secret, Text, TokenMemberName, UrlPath,
    Whole,
};

section! {
    /// How the accounts of a provider log in.
    SECTION at "providers[].login" {
        CLIENT_ID: RequiredKey<Line> = required(
            "client-id", Line,
            "The client that the provider registered for you. Do not use another program's.",
        );
        CLIENT_SECRET: OptionalKey<Secret> = optional(
            "client-secret", Secret { min: 1 }, "none: a public client",
            "The client's secret.",
        );
        CLIENT_AUTHENTICATION: DefaultKey<Choice<ClientAuthentication>> = default(
            "client-authentication",
            Choice(&[("body", ClientAuthentication::Body), ("basic", ClientAuthentication::Basic)]),
            |_| ClientAuthentication::Body,
            "Where requests have the client's id and secret: in the form, or as HTTP Basic authentication.",
        );
        TOKEN_URL: RequiredKey<LoginUrl> = required(
            "token-url", LoginUrl,
            "The token endpoint. Logins and refreshes send their requests to it.",
        );
        AUTHORIZATION_URL: OptionalKey<LoginUrl> = optional(
            "authorization-url", LoginUrl, "no logins by browser",
            "The page where an account consents (authorization code with PKCE, by S256). This or \
             `device-authorization-url` is required.",
        );
        DEVICE_AUTHORIZATION_URL: OptionalKey<LoginUrl> = optional(
            "device-authorization-url", LoginUrl, "no logins by device code",
            "The device authorization endpoint (RFC 8628).",
        );
        VERIFICATION_ORIGINS: OptionalKey<List<Origin>> = optional(
            "verification-origins", List(Origin), "none",
            "Origins of the page where the code of a device is entered, beside those of the URLs above. A provider's \
             response with a page elsewhere is refused.",
        );
        ISSUER: OptionalKey<Line> = optional(
            "issuer", Line, "the callback's `iss` is not compared",
            "The `iss` that callbacks must have (RFC 9207). Set it if the provider's metadata has \
             `authorization_response_iss_parameter_supported`.",
        );
        SCOPES: OptionalKey<List<Line>> = optional(
            "scopes", List(Line), "none",
            "The scopes to request. Many providers issue a refresh token only with `offline_access`.",
        );
        PARAMETERS: OptionalKey<MapOf<Text>> = optional(
            "parameters", MapOf { values: Text, rule: "Mapping from names to values." }, "none",
            "Further parameters of the authorization request, such as `audience`.",
        );
        TOKEN_PARAMETERS: OptionalKey<MapOf<Text>> = optional(
            "token-parameters", MapOf { values: Text, rule: "Mapping from names to values." }, "none",
            "Further fields of requests to the token endpoint.",
        );
        REDIRECT: OptionalKey<Nested> = optional(
            "redirect", Nested(&redirect::SECTION), "the defaults below",
            "Where the browser returns to, as you registered it with the provider.",
        );
        ACCOUNT_FROM: OptionalKey<TokenMemberName> = optional(
            "account-from", TokenMemberName, "each login makes a new credential",
            "What of the token response identifies the account. A login of the same account replaces its credential. \
             Plugins see it as the attribute `account_id`.",
        );
        LABEL_FROM: OptionalKey<TokenMemberName> = optional(
            "label-from", TokenMemberName, "no label",
            "What of the token response describes the account to operators, such as `email`.",
        );
    }
}

/// Where the browser returns to.
pub(crate) mod redirect {
    use super::*;

    section! {
        SECTION at "providers[].login.redirect" {
            HOST: DefaultKey<Choice<RedirectHost>> = default(
                "host",
                Choice(&[
                    ("127.0.0.1", RedirectHost::V4),
                    ("::1", RedirectHost::V6),
                    ("localhost", RedirectHost::Localhost),
                ]),
                |_| RedirectHost::V4,
                "The host of the URI. Jackfield listens only there, and only while a login is open.",
            );
            PORT: DefaultKey<Whole<u16>> = default(
                "port", Whole { min: 0, max: u16::MAX }, |_| 0,
                "The port of the URI; 0 for any free one (RFC 8252, section 7.3).",
            );
            PATH: DefaultKey<UrlPath> = default(
                "path", UrlPath, |_| "/callback".into(),
                "The path of the URI.",
            );
        }
    }
}
