import Engine
import FuzzKit
import JSONValue
import WorkflowFiles
import WorkflowModel

/// A workflow as YAML (and JSON, which is YAML for the most part): what is taken over keeps its meaning when it is stored.
@_cdecl("LLVMFuzzerTestOneInput")
package func fuzzWorkflow(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var input = FuzzInput(start, count)
    let bytes = input.bytes()
    let text = String(decoding: bytes, as: UTF8.self)
    if let json = try? JSONParser.parse(bytes) { read(json) }
    if let yaml = try? YAMLReader.read(text) { read(yaml) }
    return 0
}

private func read(_ yaml: YAMLDocument) {
    let written = YAMLWriter.write(yaml.value, apart: ["steps"])
    // A byte order mark at the beginning of a text is lost on the way through libyaml's strings.
    if !JSONWriter.write(yaml.value).unicodeScalars.contains("\u{FEFF}") {
        expect((try? YAMLReader.read(written))?.value == yaml.value, "what is written is read again")
    }
    read(yaml.value)
}

private func read(_ json: JSON) {
    do {
        let document = try WorkflowDocument(json)
        let stored = try? JSONParser.parse(JSONWriter.bytes(document.definition))
        expect(stored == document.definition, "a definition survives its text")
        let graph = stored.flatMap { try? WorkflowDocument.graph(fromDefinition: $0) }
        expect(graph != nil, "a stored definition is a graph")
        expect((try? WorkflowDocument(json))?.slug == document.slug, "reading is repeatable")
        let again = try? WorkflowDocument(document.json)
        expect(again?.graph.hasSameStructure(as: document.graph) == true, "a document is read from its JSON")
        expect(again.map { WorkflowDifference(from: document, to: $0).isEmpty } == true, "without a difference")
    } catch {
        guard let failure = error as? UseCaseError else { expect(false, "another error: \(error)"); return }
        expect(!failure.problems.isEmpty, "a refusal names a problem")
    }
}
