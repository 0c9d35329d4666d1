//! `jwt-bearer`: an assertion of RFC 7523, section 2.1, signed by the key of a service account. It becomes the
//! form field `assertion`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls_pki_types::PrivateKeyDer;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::error::SigningError;
use crate::parameters::Parameters;
use crate::request::SignedFields;
use crate::service_account_key::ServiceAccountKey;

/// The claims of an assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JwtBearer {
    algorithm: Algorithm,
    audience: String,
    /// `None`: that of the key's file.
    issuer: Option<String>,
    subject: Option<String>,
    scope: Option<String>,
    /// `None`: that of the key's file.
    key_id: Option<String>,
    lifetime_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
}

/// The default and longest life of an assertion, in seconds. Google refuses longer ones (Google Cloud, OAuth 2.0
/// for service accounts: `exp` is at most one hour after `iat`).
const LIFETIME_S_MAX: u64 = 3_600;

impl JwtBearer {
    pub(crate) const NAME: &str = "jwt-bearer";

    pub(crate) fn parse(parameters: &[(String, String)]) -> Result<Self, SigningError> {
        let mut parameters = Parameters::new(Self::NAME, parameters);
        let algorithms = [("RS256", Algorithm::Rs256), ("ES256", Algorithm::Es256)];
        let lifetime_s = match parameters.optional("lifetime") {
            None => Some(LIFETIME_S_MAX),
            Some(text) => text
                .parse()
                .ok()
                .filter(|seconds| (1..=LIFETIME_S_MAX).contains(seconds)),
        };
        let expected = "a number of seconds, 1 to 3600";
        let mut text = |name| parameters.optional(name).map(str::to_owned);
        let (issuer, subject, scope, key_id) = (
            text("issuer"),
            text("subject"),
            text("scope"),
            text("key-id"),
        );
        let scheme = Self {
            algorithm: parameters.one_of("algorithm", &algorithms, "RS256 or ES256")?,
            audience: parameters.required("audience")?.to_owned(),
            issuer,
            subject,
            scope,
            key_id,
            lifetime_s: lifetime_s.ok_or_else(|| parameters.invalid("lifetime", expected))?,
        };
        parameters.finish()?;
        Ok(scheme)
    }

    pub(crate) fn sign(
        &self,
        name: &str,
        secret: &str,
        now_ms: u64,
    ) -> Result<SignedFields, SigningError> {
        let unusable = |problem| SigningError::UnusableSecret {
            name: name.to_owned(),
            scheme: Self::NAME,
            problem,
        };
        let key = ServiceAccountKey::parse(secret).map_err(unusable)?;
        let issuer = self.issuer.as_deref().or(key.issuer.as_deref());
        let issuer = issuer.ok_or(SigningError::MissingParameter {
            scheme: Self::NAME,
            parameter: "issuer",
        })?;
        let header = self.header(key.key_id.as_deref());
        let claims = self.claims(issuer, now_ms / 1_000);
        let [header, claims] =
            [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self
            .signature(&key.key, signed.as_bytes())
            .map_err(unusable)?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let assertion = format!("{signed}.{signature}");
        Ok(SignedFields {
            form: vec![(
                "assertion".to_owned(),
                SecretString::from(assertion.clone()),
            )],
            derived: vec![SecretString::from(assertion), SecretString::from(signature)],
            ..SignedFields::default()
        })
    }

    /// The header (RFC 7515, section 4.1).
    fn header(&self, key_id: Option<&str>) -> Value {
        let algorithm = match self.algorithm {
            Algorithm::Rs256 => "RS256",
            Algorithm::Es256 => "ES256",
        };
        let mut header = json!({"alg": algorithm, "typ": "JWT"});
        if let Some(key_id) = self.key_id.as_deref().or(key_id) {
            header["kid"] = json!(key_id);
        }
        header
    }

    /// The claims (RFC 7523, section 3; `scope` as Google's token endpoint reads it).
    fn claims(&self, issuer: &str, now_s: u64) -> Value {
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), json!(issuer));
        let optional = [("sub", &self.subject), ("scope", &self.scope)];
        for (name, value) in optional {
            if let Some(value) = value {
                claims.insert(name.to_owned(), json!(value));
            }
        }
        claims.insert("aud".to_owned(), json!(self.audience));
        claims.insert("iat".to_owned(), json!(now_s));
        claims.insert("exp".to_owned(), json!(now_s + self.lifetime_s));
        Value::Object(claims)
    }

    fn signature(&self, key: &PrivateKeyDer<'_>, signed: &[u8]) -> Result<Vec<u8>, &'static str> {
        let random = SystemRandom::new();
        match self.algorithm {
            Algorithm::Rs256 => {
                let key = match key {
                    PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
                    PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
                    _ => return Err("RS256 needs an RSA key"),
                };
                let key = key.map_err(|_| "RS256 needs an RSA key of 2048 to 4096 bits")?;
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)
                    .map_err(|_| "its RSA key cannot sign")?;
                Ok(signature)
            }
            Algorithm::Es256 => {
                let PrivateKeyDer::Pkcs8(der) = key else {
                    return Err(
                        "ES256 needs a key in PKCS#8: convert it by `openssl pkcs8 -topk8 -nocrypt`",
                    );
                };
                let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let key = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der(), &random)
                    .map_err(|_| "ES256 needs a key of the curve P-256")?;
                let signature = key.sign(&random, signed);
                let signature = signature.map_err(|_| "its P-256 key cannot sign")?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}
