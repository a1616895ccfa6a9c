import JSONValue

/// A compiled template of the Liquid language: parsed once, rendered any number of times, safe to share.
///
/// The language is that of Shopify's reference implementation, with its strict reading of expressions, and two
/// additions: `{{ name ?? fallback }}` writes the literal after `??` when the value is missing or null, and names may
/// contain single spaces (`{{ contact.first name }}`) in outputs, assignments and filter arguments.
///
/// Unknown tags, unknown filters and wrong numbers of arguments are syntax errors. Undefined variables are not: they
/// are nil, which prints as nothing.
package struct Template: Sendable {
    /// Longest source that is accepted, in UTF-8 bytes.
    package static let sourceByteLimit = 200_000
    /// Deepest nesting of blocks that is accepted.
    package static let nestingLimit = 100

    /// The name that errors carry.
    package private(set) var name: String
    /// The variables the template reads and does not set itself, in the order of their first mention.
    package let variables: [VariableMention]
    /// What `include` and `render` name, in the order of their first mention.
    package let partials: [PartialMention]
    let nodes: [Node]
    /// How long the source was.
    let sourceBytes: Int
    /// Whether a loop goes on where another stopped.
    let resumesLoops: Bool

    /// Compiles `source`.
    ///
    /// - Throws: a `TemplateSyntaxError` with the place of the first mistake.
    package init(parsing source: String, name: String = "template") throws(TemplateSyntaxError) {
        var parser = try TemplateParser(source: source, name: name)
        self.nodes = try parser.parse()
        sourceBytes = source.utf8.count
        resumesLoops = parser.resumesLoops
        self.name = name
        self.variables = parser.mentions.variables
        self.partials = parser.mentions.partials
    }

    /// The same under another name.
    package func named(_ name: String) -> Template {
        var template = self
        template.name = name
        return template
    }

    /// The partials named by literal strings.
    package var partialNames: [String] { partials.compactMap(\.name) }

    /// Renders with these variables.
    ///
    /// - Throws: a `RenderingError`; nothing is returned then, not even in part.
    package func render(_ variables: JSONObject, options: RenderOptions) throws(RenderingError) -> String {
        let renderer = Renderer(template: self, variables: variables, options: options)
        return try renderer.run()
    }
}
