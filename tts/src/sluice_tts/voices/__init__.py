"""The voices of the house: recordings of five to ten seconds, checked before they are kept."""
