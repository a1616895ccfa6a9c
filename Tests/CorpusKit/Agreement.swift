/// How many cases of a corpus come out as it says.
package struct Agreement: Sendable {
    package var corpus: String
    package private(set) var agree = 0
    package private(set) var total = 0
    /// A line about each case that comes out otherwise.
    package private(set) var differences: [String] = []

    /// Further results, a line each.
    package var notes: [String] = []

    package init(corpus: String) { self.corpus = corpus }

    package mutating func count(_ agrees: Bool, _ difference: @autoclosure () -> String) {
        total += 1
        if agrees { agree += 1 } else { differences.append(difference()) }
    }

    /// `198 of 199 (99.5 %)`.
    package var share: String {
        let permille = total == 0 ? 1000 : (agree * 1000 + total / 2) / total
        return "\(agree) of \(total) (\(permille / 10).\(permille % 10) %)"
    }

    /// One line of JSON.
    package var line: String {
        let share = total == 0 ? 0 : Double(agree) / Double(total)
        return "{\"corpus\":\"\(corpus)\",\"agree\":\(agree),\"total\":\(total),\"agreement\":\(share)}"
    }
}
