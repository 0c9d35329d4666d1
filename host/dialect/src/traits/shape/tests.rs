//! Tests of shaping.
