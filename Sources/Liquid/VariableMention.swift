/// A variable that a template reads and does not set itself.
package struct VariableMention: Sendable, Hashable {
    /// The keys from the root on, up to the first one that is only known when rendering: `contact["first name"].x[i]`
    /// is `["contact", "first name", "x"]`. Never empty.
    package var path: [String]
    /// Line of the first mention, counted from 1.
    package var line: Int
    /// Column of the first mention, counted from 1.
    package var column: Int

    /// The keys joined with dots, as an author would write them.
    package var name: String { path.joined(separator: ".") }
}

/// An `include` or `render`.
package struct PartialMention: Sendable, Hashable {
    /// Nil for a name that is computed when rendering.
    package var name: String?
    /// Line of the first mention, counted from 1.
    package var line: Int
    /// Column of the first mention, counted from 1.
    package var column: Int
}
