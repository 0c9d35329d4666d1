//! Rust types and functions of `wit/`, generated. Each export is optional, so the host does not use the
//! world as a whole: it looks up the interfaces that a component exports.

wasmtime::component::bindgen!({
    inline: "
        package jackfield:host;

        world host {
            import jackfield:plugin/log@0.2.0;
            import jackfield:plugin/settings@0.2.0;
            import jackfield:plugin/call@0.2.0;
            import jackfield:plugin/client@0.2.0;
            import jackfield:plugin/client-body@0.2.0;
            import jackfield:plugin/conversation@0.2.0;
            import jackfield:plugin/candidates@0.2.0;
            export jackfield:plugin/planner@0.2.0;
            export jackfield:plugin/judge-head@0.2.0;
            export jackfield:plugin/judge@0.2.0;
            export jackfield:plugin/refresh@0.2.0;
            export jackfield:plugin/quotas@0.2.0;
            export jackfield:plugin/reply@0.2.0;
            export jackfield:plugin/typed-reply@0.2.0;
            export jackfield:plugin/selector@0.2.0;
        }
    ",
    path: "../../wit",
    world: "jackfield:host/host",
    exports: { default: async },
});

pub(crate) use exports::jackfield::plugin::{
    judge, judge_head, planner, quotas, refresh, reply, selector, typed_reply,
};
pub(crate) use jackfield::plugin::{
    call, candidates, client, client_body, conversation, log, settings, types,
};
