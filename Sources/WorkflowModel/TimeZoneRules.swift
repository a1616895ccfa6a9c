/// What the clocks of a time zone show. Rules of zones change by law, so they come from outside and the arithmetic over
/// them stays pure.
package protocol TimeZoneRules: Sendable {
    /// Seconds that the zone's clocks are ahead of UTC at that moment (Europe/Berlin in summer: 7200).
    /// - Returns: nil for a zone that is not known.
    func offset(at time: Timestamp, zone: String) -> Int64?

    /// Whether the zone is known, by its name in the IANA database (`Europe/Berlin`).
    func isKnown(_ zone: String) -> Bool
}

/// UTC and nothing else: for whatever needs no zones.
package struct UTCRules: TimeZoneRules {
    package init() {}

    package func offset(at _: Timestamp, zone: String) -> Int64? { isKnown(zone) ? 0 : nil }
    package func isKnown(_ zone: String) -> Bool { zone == "UTC" }
}
