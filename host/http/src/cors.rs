//! Cross-origin requests of browser clients. Credentials of the browser (cookies) are never allowed: clients
//! send their key in a header.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response};
use axum::middleware::Next;
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer, ExposeHeaders};

/// The pages that may call from a browser.
#[derive(Debug, Clone)]
pub struct Cors(CorsLayer);

impl Cors {
    /// Allows pages of these origins, each as browsers write it: `https://example.com`. `*` means any page.
    /// `None` if there are no origins. An origin that is not a header value is left out.
    pub fn new<'a>(origins: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let origins: Vec<&str> = origins.into_iter().collect();
        if origins.is_empty() {
            return None;
        }
        let allowed = if origins.contains(&"*") {
            AllowOrigin::any()
        } else {
            let values = origins
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok());
            AllowOrigin::list(values)
        };
        let layer = CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            // SDKs send headers of their own, such as `x-stainless-os`, and add new ones.
            .allow_headers(AllowHeaders::mirror_request())
            // The request id, limits of the rate, and `retry-after`. All headers that reach clients may be
            // read: the provider's names differ by provider.
            .expose_headers(ExposeHeaders::any())
            // A page on the internet that calls a proxy on the user's machine (Private Network Access).
            .allow_private_network(true)
            .max_age(PREFLIGHT_MAX_AGE);
        Some(Self(layer))
    }

    /// Answers a preflight request, or adds the headers to the response of the rest of the router.
    pub(crate) async fn respond(&self, request: Request<Body>, next: Next) -> Response<Body> {
        let response: Result<_, Infallible> = self.0.layer(next).oneshot(request).await;
        match response {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// How long a browser may use the answer to a preflight request. Chromium allows two hours at most.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(7_200);
