/// How many cases of a corpus come out as it says.
package struct Agreement: Sendable {
    package var corpus: String
    package private(set) var agree = 0
    package private(set) var total = 0
    /// A line about each case that comes out otherwise.
    package private(set) var differences: [String] = []

    package init(corpus: String) { self.corpus = corpus }

    package mutating func count(_ agrees: Bool, _ difference: @autoclosure () -> String) {
        total += 1
        if agrees { agree += 1 } else { differences.append(difference()) }
    }

    /// One line of JSON.
    package var line: String {
        let share = total == 0 ? 0 : Double(agree) / Double(total)
        return "{\"corpus\":\"\(corpus)\",\"agree\":\(agree),\"total\":\(total),\"agreement\":\(share)}"
    }
}
