//! The tools of a request and which of them may be called.

use super::models::Model;
use super::schema;
use crate::chat::{Request, Tool, ToolChoice};
use crate::json::Object;

/// Writes `tools` and `toolConfig`.
pub(super) fn write(request: &Request<'_>, model: Model, out: &mut Object<'_>) {
    // To allow some tools without demanding one is to offer only these.
    let offered = |tool: &&Tool<'_>| match &request.tool_choice {
        Some(ToolChoice::Allowed { names, required: false }) => {
            names.iter().any(|name| name.means(&tool.name))
        }
        _ => true,
    };
    let search = request.get("web_search_options").is_some();
    let any = request.tools.iter().any(|tool| offered(&tool));
    if search || any {
        out.array("tools", |tools| {
            if any {
                tools.object(|tool| {
                    tool.array("functionDeclarations", |functions| {
                        for function in request.tools.iter().filter(offered) {
                            functions.object(|out| declare(function, model, out));
                        }
                    });
                });
            }
            if search {
                tools.object(|tool| tool.object("googleSearch", |_| {}));
            }
        });
    }
    if let Some(choice) = request.tool_choice.as_ref().filter(|_| any) {
        out.object("toolConfig", |config| {
            config.object("functionCallingConfig", |calling| choose(choice, calling));
        });
    }
}

fn declare(function: &Tool<'_>, model: Model, out: &mut Object<'_>) {
    out.text("name", &function.name);
    if let Some(description) = &function.description {
        out.text("description", description);
    }
    let Some(parameters) = function.parameters else { return };
    if model.json_schema {
        out.raw("parametersJsonSchema", parameters.raw());
    } else if parameters.get("properties").is_some_and(|properties| properties.entries().next().is_some()) {
        // An object without properties is refused; no parameters are none. What the subset cannot
        // say was refused before.
        if let Ok(schema) = schema::subset(parameters) {
            out.raw("parameters", &schema);
        }
    }
}

fn choose(choice: &ToolChoice<'_>, calling: &mut Object<'_>) {
    let (mode, names) = match choice {
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => ("AUTO", &[][..]),
        ToolChoice::None => ("NONE", &[][..]),
        ToolChoice::Required => ("ANY", &[][..]),
        ToolChoice::Named(name) => ("ANY", std::slice::from_ref(name)),
        ToolChoice::Allowed { names, required: true } => ("ANY", names.as_slice()),
    };
    calling.string("mode", mode);
    if !names.is_empty() {
        calling.array("allowedFunctionNames", |list| names.iter().for_each(|name| list.text(name)));
    }
}
