import Engine
import JSONValue

extension WorkflowDocument {
    /// The text of a file from which the same document is read.
    package var yaml: String { YAMLWriter.write(json, apart: ["trigger", "timers", "steps", "templates"]) }
}
