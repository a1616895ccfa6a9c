/// What happens to the value of an output before it becomes part of the rendered text.
package enum OutputEscaping: String, Sendable, CaseIterable {
    /// `&`, `<`, `>`, `"` and `'` become character references, unless the value passed `| raw` or is escaped already.
    case html
    /// Values are written as they are.
    case text
    /// Values are written as they are, but control characters (Unicode category Cc, hence CR and LF) vanish from the
    /// whole result: it goes into a header field.
    case header
}

/// What one rendering may use up. The room has no clock, so time is bounded by counting work.
package struct RenderLimits: Sendable, Hashable {
    /// Longest result, in UTF-8 bytes.
    package var outputBytes = 10_000_000
    /// Turns of all loops together.
    package var loopTurns = 100_000
    /// Evaluated nodes, expressions and filters, plus one for every 16 bytes or every element a filter reads.
    package var work = 5_000_000
    /// Nesting of blocks and partials together.
    package var depth = 100
    /// What filters, captures and assignments may produce in sum, in bytes. Nothing is given back, so this also
    /// bounds what is held at one time.
    package var memoryBytes = 64_000_000

    /// The limits of the project: see the properties.
    package init() {}
}

/// Everything a rendering depends on besides the template and its variables.
package struct RenderOptions: Sendable {
    /// What is done to outputs.
    package var escaping: OutputEscaping
    /// The present for `date` of `"now"` and `"today"`, in microseconds since 1970-01-01 UTC.
    package var now: Int64
    /// What `include` and `render` can name.
    package var partials: [String: Template]
    /// What the rendering may use up.
    package var limits: RenderLimits

    /// Options with the project's limits unless others are given.
    package init(
        escaping: OutputEscaping, now: Int64, partials: [String: Template] = [:], limits: RenderLimits = RenderLimits()
    ) {
        self.escaping = escaping
        self.now = now
        self.partials = partials
        self.limits = limits
    }
}
