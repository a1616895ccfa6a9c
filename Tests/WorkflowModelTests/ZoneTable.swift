import WorkflowModel

/// The changes of some zones in 2026, as the IANA database has them, so that no test asks the machine it runs on.
struct ZoneTable: TimeZoneRules {
    /// Moments from which on an offset holds, in seconds ahead of UTC.
    private static let changes: [String: [(from: Timestamp, offset: Int64)]] = [
        "UTC": [(moment("1970-01-01T00:00:00Z"), 0)],
        "Europe/Berlin": [
            (moment("1970-01-01T00:00:00Z"), 3600), (moment("2026-03-29T01:00:00Z"), 7200),
            (moment("2026-10-25T01:00:00Z"), 3600),
        ],
        "America/New_York": [
            (moment("1970-01-01T00:00:00Z"), -18_000), (moment("2026-03-08T07:00:00Z"), -14_400),
            (moment("2026-11-01T06:00:00Z"), -18_000),
        ],
        // Half an hour of summer time.
        "Australia/Lord_Howe": [
            (moment("1970-01-01T00:00:00Z"), 39_600), (moment("2026-04-04T15:00:00Z"), 37_800),
            (moment("2026-10-03T15:30:00Z"), 39_600),
        ],
        // It went to the other side of the date line and left out 30 December.
        "Pacific/Apia": [(moment("1970-01-01T00:00:00Z"), -36_000), (moment("2011-12-30T10:00:00Z"), 50_400)],
    ]

    func isKnown(_ zone: String) -> Bool { Self.changes[zone] != nil }

    func offset(at time: Timestamp, zone: String) -> Int64? {
        guard let changes = Self.changes[zone] else { return nil }
        let last = changes.last { $0.from <= time }
        return (last ?? changes[0]).offset
    }
}

/// The moment of an RFC 3339 text.
func moment(_ text: String) -> Timestamp { Timestamp(rfc3339: text) ?? Timestamp(seconds: 0) }
