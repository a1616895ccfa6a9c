import Testing

@testable import Engine

@Suite struct BatchSizeTests {
    private func size(after done: Int, of limit: Int, taken: Int64) -> Int {
        var size = BatchSize(first: 100, in: 10...1000)
        size.adapt(to: done, of: limit, taken: taken)
        return size.count
    }

    @Test func batchBecomesAsLongAsItsTime() {
        #expect(size(after: 100, of: 100, taken: 100_000) == 50)
        #expect(size(after: 100, of: 100, taken: 40_000) == 125)
    }

    @Test func oneQuickBatchDoublesTheNextAtMost() {
        #expect(size(after: 100, of: 100, taken: 1) == 200)
        #expect(size(after: 800, of: 800, taken: 1) == 1000)
    }

    @Test func slowBatchLeavesTheLeast() { #expect(size(after: 100, of: 100, taken: 60_000_000) == 10) }

    @Test func batchThatWasNotFullSaysNothing() { #expect(size(after: 7, of: 100, taken: 50_000_000) == 100) }

    @Test func clockThatStandsStillSaysNothing() { #expect(size(after: 100, of: 100, taken: 0) == 100) }
}
