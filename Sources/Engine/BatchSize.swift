/// How many rows one transaction takes: as many as keep the writer for a certain time, measured on the last.
struct BatchSize: Sendable {
    private(set) var count: Int
    private let range: ClosedRange<Int>
    /// How long a batch should keep the writer, in microseconds: who comes meanwhile waits for half of it, on average.
    private static let time: Int64 = 50_000

    init(first: Int, in range: ClosedRange<Int>) {
        count = first
        self.range = range
    }

    /// - Parameters:
    ///   - done: rows of a batch that was asked for `limit`; fewer say nothing.
    ///   - taken: microseconds.
    mutating func adapt(to done: Int, of limit: Int, taken: Int64) {
        guard done == limit, taken > 0 else { return }
        // Never more than twice as many: one batch is no measurement.
        let fitting = min(Int(Int64(done) * Self.time / taken), done * 2)
        count = min(max(fitting, range.lowerBound), range.upperBound)
    }
}
