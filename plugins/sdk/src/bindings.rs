//! The bindings of `wit/`. Each export has a world of its own, so that a component exports only what its type
//! implements. What a plugin does not call is not imported by its component.

pub mod imports {
    wit_bindgen::generate!({
        inline: "
            package jackfield:sdk;

            world imports {
                import jackfield:plugin/types@0.2.0;
                import jackfield:plugin/log@0.2.0;
                import jackfield:plugin/settings@0.2.0;
                import jackfield:plugin/call@0.2.0;
                import jackfield:plugin/client@0.2.0;
                import jackfield:plugin/client-body@0.2.0;
                import jackfield:plugin/conversation@0.2.0;
                import jackfield:plugin/candidates@0.2.0;
            }
        ",
        path: "../../wit",
        world: "jackfield:sdk/imports",
        generate_all,
    });
}

/// The world of one export, which uses the types of [`imports`].
macro_rules! export_world {
    ($module:ident, $world:tt, $export_macro:tt, $bindings:tt, $text:tt) => {
        pub mod $module {
            wit_bindgen::generate!({
                inline: $text,
                path: "../../wit",
                world: $world,
                pub_export_macro: true,
                export_macro_name: $export_macro,
                default_bindings_module: $bindings,
                with: {
                    "jackfield:plugin/types@0.2.0":
                        crate::bindings::imports::jackfield::plugin::types,
                },
            });
        }
    };
}

export_world!(
    planner,
    "jackfield:sdk/exports-planner",
    "__export_planner",
    "jackfield_plugin::bindings::planner",
    "package jackfield:sdk; world exports-planner { export jackfield:plugin/planner@0.2.0; }"
);
export_world!(
    judge_head,
    "jackfield:sdk/exports-judge-head",
    "__export_judge_head",
    "jackfield_plugin::bindings::judge_head",
    "package jackfield:sdk; world exports-judge-head { export jackfield:plugin/judge-head@0.2.0; }"
);
export_world!(
    judge,
    "jackfield:sdk/exports-judge",
    "__export_judge",
    "jackfield_plugin::bindings::judge",
    "package jackfield:sdk; world exports-judge { export jackfield:plugin/judge@0.2.0; }"
);
export_world!(
    refresh,
    "jackfield:sdk/exports-refresh",
    "__export_refresh",
    "jackfield_plugin::bindings::refresh",
    "package jackfield:sdk; world exports-refresh { export jackfield:plugin/refresh@0.2.0; }"
);
export_world!(
    reply,
    "jackfield:sdk/exports-reply",
    "__export_reply",
    "jackfield_plugin::bindings::reply",
    "package jackfield:sdk; world exports-reply { export jackfield:plugin/reply@0.2.0; }"
);
export_world!(
    typed_reply,
    "jackfield:sdk/exports-typed-reply",
    "__export_typed_reply",
    "jackfield_plugin::bindings::typed_reply",
    "package jackfield:sdk; world exports-typed-reply { export jackfield:plugin/typed-reply@0.2.0; }"
);
export_world!(
    selector,
    "jackfield:sdk/exports-selector",
    "__export_selector",
    "jackfield_plugin::bindings::selector",
    "package jackfield:sdk; world exports-selector { export jackfield:plugin/selector@0.2.0; }"
);

/// As the worlds above; it uses none of the types of [`imports`].
pub mod quotas {
    wit_bindgen::generate!({
        inline: "package jackfield:sdk; world exports-quotas { export jackfield:plugin/quotas@0.2.0; }",
        path: "../../wit",
        world: "jackfield:sdk/exports-quotas",
        pub_export_macro: true,
        export_macro_name: "__export_quotas",
        default_bindings_module: "jackfield_plugin::bindings::quotas",
    });
}
