/// What every scanner needs to know.
package struct ScannerConfiguration: Hashable, Sendable {
    package var address: ScannerAddress
    /// For one answer, from the connection to its end.
    package var timeout: Duration
    /// Bytes of the largest message that is shown.
    package var sizeLimit: Int

    package init(address: ScannerAddress, timeout: Duration = .seconds(20), sizeLimit: Int = 25 << 20) {
        self.address = address
        self.timeout = timeout
        self.sizeLimit = sizeLimit
    }
}
