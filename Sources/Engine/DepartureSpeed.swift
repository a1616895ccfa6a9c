import WorkflowModel

/// How many mails a relay ends in a moment, measured on what it did last.
///
/// That many may be made ready in advance: then it never waits for us, and what is ready has still left after that moment, so
/// that a pause or a mail in a hurry is not late by more, as long as the relay is as fast as before.
struct DepartureSpeed: Sendable {
    /// Microseconds.
    private static let moment: Int64 = 20_000
    private static let window: Int64 = 100_000
    /// What was measured longer ago says nothing.
    private static let validity: Int64 = 1_000_000

    private var start = Timestamp(microseconds: .min)
    private var count: Int64 = 0
    private var perMoment: Int64 = 0

    mutating func ended(at now: Timestamp) {
        let age = now.microseconds.subtractingReportingOverflow(start.microseconds)
        guard !age.overflow, age.partialValue >= 0, age.partialValue <= Self.validity else {
            self = DepartureSpeed()
            start = now
            return
        }
        count += 1
        guard age.partialValue >= Self.window else { return }
        perMoment = count * Self.moment / age.partialValue
        start = now
        count = 0
    }

    func mails(at now: Timestamp) -> Int {
        let age = now.microseconds.subtractingReportingOverflow(start.microseconds)
        guard !age.overflow, age.partialValue >= 0, age.partialValue <= Self.validity else { return 0 }
        return Int(clamping: perMoment)
    }
}
