//! Headers and form fields with secrets.

use http::header::{HeaderName, HeaderValue};

use super::check_header;
use super::error::PlanError;
use crate::plan::UpstreamRequest;

/// Sets a header to a value with a secret.
pub(super) fn set_secret_header(
    request: &mut UpstreamRequest,
    name: HeaderName,
    value: &str,
) -> Result<(), PlanError> {
    check_header(&name)?;
    let mut value =
        HeaderValue::from_str(value).map_err(|_| PlanError::HeaderValue(name.clone()))?;
    // Hides the value in debug output, and excludes it from the compression table of HTTP/2.
    value.set_sensitive(true);
    request.headers.insert(name, value);
    Ok(())
}

/// Appends a field with a secret to an urlencoded body.
pub(super) fn append_form_field(
    request: &mut UpstreamRequest,
    field: &str,
    secret: &str,
) -> Result<(), PlanError> {
    let mut form = String::from_utf8(request.body.to_vec()).map_err(|_| PlanError::FormNotText)?;
    if !form.is_empty() {
        form.push('&');
    }
    let pair = url::form_urlencoded::Serializer::new(String::new())
        .append_pair(field, secret)
        .finish();
    form.push_str(&pair);
    request.body = form.into();
    Ok(())
}
