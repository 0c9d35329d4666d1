//! Tests of the views.

use jackfield_credential::{CredentialId, Endpoint, HealthPlace, ModelKey};

use super::*;

#[test]
fn change_of_a_health_names_its_place_and_endpoint() {
    let endpoint = Endpoint::new("embeddings");
    for (place, model, label, named) in [
        (HealthPlace::Account, None, "account", None),
        (HealthPlace::Model, Some("m"), "model", None),
        (
            HealthPlace::Lane(endpoint),
            Some("m"),
            "lane",
            Some("embeddings"),
        ),
        (
            HealthPlace::SiteLane(endpoint),
            Some("m"),
            "site",
            Some("embeddings"),
        ),
        (HealthPlace::Way, None, "way", None),
    ] {
        let change = HealthChange {
            credential: CredentialId::new("a"),
            model: model.map(ModelKey::canonical),
            place,
            from: Health::Ready,
            to: Health::Ready,
        };
        let shown = health_change(&change, Timestamp::from_millis(0));
        assert_eq!(shown.place, label);
        assert_eq!(shown.endpoint.as_deref(), named);
        assert_eq!(shown.model.as_deref(), model);
    }
}
