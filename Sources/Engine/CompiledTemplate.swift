import Liquid
import Markdown
import WorkflowModel

/// A mail template parsed once.
struct CompiledTemplate: Sendable {
    var subject: Template
    var html: Template?
    var text: Template?
    /// Header values, by the name of the content's member: `from`, `fromName`, `replyTo`.
    private(set) var addresses: [String: Template] = [:]

    /// - Throws: the syntax error of the first part that has one; its name is the part's.
    init(_ content: TemplateContent) throws(TemplateSyntaxError) {
        subject = try Template(parsing: content.subject, name: "subject")
        if let markdown = content.markdown {
            html = try Self.html(fromMarkdown: markdown)
        } else if let source = content.html {
            html = try Template(parsing: source, name: "html")
        }
        if let source = content.text { text = try Template(parsing: source, name: "text") }
        for (name, source) in content.addresses { addresses[name] = try Template(parsing: source, name: name) }
    }

    private static func html(fromMarkdown markdown: String) throws(TemplateSyntaxError) -> Template {
        // First as it was written: the places of mistakes in the HTML would say nothing to the author.
        _ = try Template(parsing: markdown, name: "markdown")
        return try Template(parsing: MarkdownText.html(from: markdown), name: "markdown")
    }

    /// Every part that does not parse, with its place.
    static func problems(in content: TemplateContent) -> [WorkflowProblem] {
        var parts = [TemplateContent(subject: content.subject, html: nil, text: nil)]
        if content.html != nil || content.markdown != nil {
            parts.append(TemplateContent(subject: "", html: content.html, text: nil, markdown: content.markdown))
        }
        if content.text != nil { parts.append(TemplateContent(subject: "", html: nil, text: content.text)) }
        parts.append(TemplateContent(subject: "", html: nil, text: nil, from: content.from))
        parts.append(TemplateContent(subject: "", html: nil, text: nil, fromName: content.fromName))
        parts.append(TemplateContent(subject: "", html: nil, text: nil, replyTo: content.replyTo))
        return parts.compactMap { part in
            do throws(TemplateSyntaxError) {
                _ = try CompiledTemplate(part)
                return nil
            } catch {
                return WorkflowProblem(
                    path: error.template, message: "\(error)", place: .init(line: error.line, column: error.column))
            }
        }
    }

    var parts: [Template] {
        [subject, html, text].compactMap(\.self) + addresses.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Of all parts.
    var variablePaths: [[String]] { parts.flatMap { $0.variables.map(\.path) } }

    var namesPartials: Bool { parts.contains { !$0.partials.isEmpty } }
}

extension TemplateContent {
    /// Values of address fields by the names of their members.
    var addresses: [(name: String, source: String)] {
        [("from", from), ("fromName", fromName), ("replyTo", replyTo)].compactMap { name, source in
            source.map { (name, $0) }
        }
    }
}

/// The partials of one mail, by name.
struct PartialSet: Sendable {
    var html: [String: Template] = [:]
    var text: [String: Template] = [:]

    mutating func add(_ compiled: CompiledTemplate, as name: String) {
        html[name] = compiled.html?.named(name)
        text[name] = compiled.text?.named(name)
    }
}
