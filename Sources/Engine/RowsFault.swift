extension Error {
    /// Whether what was asked for or a row of it is to blame: trying again does not help, and others are not concerned. Anything
    /// else is the database's trouble, and passes.
    var isRowsFault: Bool {
        guard let error = self as? StoreError else { return self is UseCaseError }
        return error.code == .damaged || error.code == .conflict
    }
}
