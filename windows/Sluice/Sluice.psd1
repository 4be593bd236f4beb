# The manifest of the module that all scripts of this folder share.
@{
    RootModule        = 'Sluice.psm1'
    ModuleVersion     = '0.1.0'
    GUID              = '5c0f8d3e-2b1a-4a63-9a63-0f6f7c2f4d11'
    Author            = 'The sluice authors'
    Description       = 'The gaming PC behind sluice: mode, gate, portproxy, WSL.'
    PowerShellVersion = '5.1'
    FunctionsToExport = '*'
    CmdletsToExport   = @()
    VariablesToExport = @()
    AliasesToExport   = @()
}
