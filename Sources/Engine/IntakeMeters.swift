import Synchronization

/// What the intake has done with mail since the process started.
final class IntakeMeters: Sendable {
    enum Count: String, CaseIterable {
        /// Messages of which every recipient was seen before.
        case repeated
        /// Messages answered so, by their routes.
        case rejected, discarded, quarantined
        /// Recipients whose mail became no event, see `InboundOutcome`.
        case refused, held
        /// Messages of which not all was read, because they had too many parts, or parts too deep inside each other.
        case partsCut, nestingCut
        /// Messages whose verdicts contradict each other within one source.
        case conflicts
        /// Messages that waited for scanners and have become events, and scanners that had not answered by then.
        case scanned, unanswered
    }

    private let counts = Mutex([Int](repeating: 0, count: Count.allCases.count))

    func count(_ count: Count) {
        guard let place = Count.allCases.firstIndex(of: count) else { return }
        counts.withLock { $0[place] += 1 }
    }

    var numbers: [String: Int] {
        let counts = counts.withLock { $0 }
        return Dictionary(uniqueKeysWithValues: zip(Count.allCases.map(\.rawValue), counts))
    }
}
