/// A template that cannot be compiled, and the place to mend.
package struct TemplateSyntaxError: Error, Equatable, CustomStringConvertible {
    /// The name the template was given when it was parsed.
    package var template: String
    /// Counted from 1.
    package var line: Int
    /// Counted from 1, in Unicode scalars.
    package var column: Int
    /// What is wrong, as a sentence for the author of the template. It quotes names from the template, never data.
    package var message: String

    /// Builds the error for one place of one template.
    package init(template: String, line: Int, column: Int, message: String) {
        self.template = template
        self.line = line
        self.column = column
        self.message = message
    }

    package var description: String { "\(template), line \(line), column \(column): \(message)" }
}
