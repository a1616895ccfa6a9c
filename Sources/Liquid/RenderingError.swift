/// A template that compiled but could not be rendered with these variables or within these limits.
package struct RenderingError: Error, Equatable, CustomStringConvertible {
    /// The reason. The raw values are fit for a metric label.
    package enum Code: String, Sendable, CaseIterable {
        /// The rendered text would be longer than `RenderLimits.outputBytes`.
        case outputTooLarge
        /// More turns in all loops together than `RenderLimits.loopTurns`, or a range of more elements than that.
        case tooManyTurns
        /// More evaluations than `RenderLimits.work`.
        case tooMuchWork
        /// Blocks and partials nested deeper than `RenderLimits.depth`.
        case tooDeep
        /// Filters and captures produced more than `RenderLimits.memoryBytes`.
        case tooMuchMemory
        /// `include` or `render` names a partial that was not given.
        case unknownPartial
        /// `include` inside a partial that `render` isolates.
        case includeNotAllowed
        /// A filter or tag got a value it cannot work with.
        case invalidArgument
        /// `<`, `>`, `<=` or `>=` between values of different kinds.
        case incomparable
        /// `divided_by` or `modulo` by zero.
        case divisionByZero
    }

    /// The closed reason.
    package var code: Code
    /// A sentence for the author of the template. It never contains values of variables.
    package var message: String
    /// The template or partial in which it happened.
    package var template: String
    /// The line in that template, counted from 1.
    package var line: Int

    package var description: String { "\(template), line \(line): \(message)" }
}
